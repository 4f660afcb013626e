import { MAX_REASON } from './limits.ts';

/** Control characters, line ends of Unicode, and marks that turn the direction of what follows on a terminal. */
// oxlint-disable-next-line no-control-regex -- they are what it finds
const NOT_SHOWN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/** Text from a peer or an error as one line that can be shown: no control characters, bounded length. */
export function oneLine(text: string, max: number = MAX_REASON): string {
  const line = text
    .slice(0, max * 4)
    .replace(NOT_SHOWN, ' ')
    .trim();
  return line.length > max ? `${line.slice(0, max - 1)}…` : line;
}

/** `1 second`, `2 seconds`. @param one what is counted, of which several have an `s` */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}
