/** Log lines on their own channel: a level byte (1 debug … 6 panic), the text, a line end. */
import { oneLine } from '../text.ts';
import { MAX_LOG_LINE } from './limits.ts';

const LEVELS = ['debug', 'info', 'warning', 'error', 'fatal', 'panic'] as const;

/** Dovecot's levels, in the order of their bytes. */
export type RemoteLogLevel = (typeof LEVELS)[number];

/** One line of the other side's log. What was read is fit to be shown. */
export interface RemoteLogLine {
  readonly level: RemoteLogLevel;
  readonly text: string;
}

/** With its end; a text of more than 1,024 characters is cut. */
export function printLogLine(line: RemoteLogLine): Buffer {
  const level = Buffer.of(LEVELS.indexOf(line.level) + 1);
  return Buffer.concat([level, Buffer.from(oneLine(line.text, MAX_LOG_LINE / 4)), Buffer.of(0x0a)]);
}

/** Collects the bytes of the log channel to lines; never throws, cuts what is too long. */
export class LogLineReader {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): RemoteLogLine[] {
    const lines: RemoteLogLine[] = [];
    let data: Buffer = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a)) {
      const line = parseLogLine(data.subarray(0, end));
      if (line !== null) lines.push(line);
      data = data.subarray(end + 1);
    }
    this.#pending = Buffer.from(data.subarray(0, MAX_LOG_LINE));
    return lines;
  }
}

function parseLogLine(bytes: Buffer): RemoteLogLine | null {
  const level = LEVELS[(bytes[0] ?? 0) - 1];
  const text = oneLine(bytes.toString('utf8', level === undefined ? 0 : 1), MAX_LOG_LINE);
  return text === '' ? null : { level: level ?? 'info', text };
}
