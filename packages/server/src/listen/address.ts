import { UsageError } from '@dsync/settings';

/** Where a server listens. Port 0: the settings' port for `null`, any free one for 0. */
export type ListenAddress =
  | { readonly kind: 'tcp' | 'tcps'; readonly host: string; readonly port: number | null }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Reads `tcp:ADDR[:PORT]`, `tcps:ADDR[:PORT]` or `unix:PATH`; IPv6 as `[::1]:PORT`; `*` or an empty address: all.
 * @throws {UsageError}
 */
export function parseListenAddress(text: string): ListenAddress {
  const unix = /^unix:(.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] };
  const match = /^(tcps?):(\[[0-9a-fA-F:.]+\]|[^:[\]]*)(?::([0-9]{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? null : Number(match[3]);
  if (match === null || (port !== null && port > 65_535)) {
    throw new UsageError(`--listen needs tcp:ADDR:PORT, tcps:ADDR:PORT or unix:PATH, not ${JSON.stringify(text)}`);
  }
  const address = (match[2] ?? '').replace(/^\[|\]$/g, '');
  return { kind: match[1] === 'tcps' ? 'tcps' : 'tcp', host: address === '' || address === '*' ? '::' : address, port };
}

/** As `parseListenAddress` reads it and a client's destination has it: an IPv6 address in brackets. */
export function printAddress(kind: string, host: string, port: number): string {
  return `${kind}:${host.includes(':') ? `[${host}]` : host}:${port}`;
}
