/** What the words after the options mean: the same as for doveadm 2.3, and `unix:` for a socket. */
import { parseLocation, UsageError, type MailLocation } from '@dsync/settings';

/** Where the other side is, and how it is reached. */
export type Destination =
  /** A second store in this process. */
  | { readonly kind: 'local'; readonly location: MailLocation }
  /** A program whose stdin and stdout are the connection. */
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'tcp' | 'tcps'; readonly host: string; readonly port: number | null }
  /** A doveadm server's UNIX socket. */
  | { readonly kind: 'unix'; readonly path: string }
  /** The setting dsync_remote_cmd; `user` is the other side's, null: the same as here. */
  | {
      readonly kind: 'remote';
      readonly login: string;
      readonly host: string;
      readonly user: string | null;
      readonly prefix: boolean;
    };

/** What is no program's name, so that no arguments can follow. */
const WHOLE = /^(?:maildir|sdbox|mdbox|mbox|imapc|pop3c|tcps?|unix|remote|remoteprefix):/i;

/** @throws {UsageError} */
export function parseDestination(words: readonly string[]): Destination {
  const [word = '', ...others] = words;
  if (others.length > 0) {
    if (WHOLE.test(word))
      throw new UsageError(`${word} is a whole destination: options stand before it, nothing after it (${others[0]})`);
    return { kind: 'command', argv: words.at(-1) === 'dsync-server' ? words : [...words, 'dsync-server'] };
  }
  const scheme = /^([A-Za-z0-9]+):([\s\S]*)$/.exec(word);
  if (scheme !== null) return parseScheme(word, (scheme[1] ?? '').toLowerCase(), scheme[2] ?? '');
  if (/[ /]/.test(word)) {
    const argv = word.split(' ').filter((part) => part !== '');
    if (argv.length === 0) throw new UsageError('the destination is empty');
    return { kind: 'command', argv };
  }
  const at = word.lastIndexOf('@');
  return remote('', word.slice(at + 1), at < 0 ? null : word.slice(0, at), false);
}

function parseScheme(word: string, scheme: string, rest: string): Destination {
  if (scheme === 'tcp' || scheme === 'tcps') return parseTcp(word, scheme, rest);
  if (scheme === 'unix') {
    if (rest === '' || rest.includes('\0')) throw new UsageError(`unix: needs the path of a socket`);
    return { kind: 'unix', path: rest };
  }
  if (scheme === 'remote' || scheme === 'remoteprefix') {
    const at = rest.lastIndexOf('@');
    return remote(at < 0 ? '' : rest.slice(0, at), rest.slice(at + 1), null, scheme === 'remoteprefix');
  }
  return { kind: 'local', location: parseLocation(word) };
}

function parseTcp(word: string, kind: 'tcp' | 'tcps', rest: string): Destination {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:[\]\s/]+))(?::([0-9]{1,5}))?$/.exec(rest);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? null : Number(match[3]);
  if (host === undefined || port === 0 || (port !== null && port > 65_535)) {
    throw new UsageError(`${kind}: needs HOST[:PORT], an IPv6 address in brackets, not ${JSON.stringify(word)}`);
  }
  return { kind, host, port };
}

/** Words for ssh must not be taken for its options. */
function remote(login: string, host: string, user: string | null, prefix: boolean): Destination {
  if (host === '') throw new UsageError('the destination names no host');
  for (const part of [login, host, user ?? '']) {
    // oxlint-disable-next-line no-control-regex
    if (part.startsWith('-') || /[\s\u0000-\u001f\u007f]/.test(part))
      throw new UsageError(`not a login, host or user name: ${JSON.stringify(part)}`);
  }
  return { kind: 'remote', login, host, user, prefix };
}
