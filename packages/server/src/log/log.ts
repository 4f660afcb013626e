import { oneLine } from '@dsync/protocol';
import { UsageError } from '@dsync/settings';

/** The programs' log. Every line goes to stderr: stdout belongs to results and, in `dsync-server`, to the wire. */

/** From the gravest on; a log shows its own level and all before it. */
export type LogLevel = 'error' | 'warning' | 'info' | 'debug';

/** `--log-format`: lines for people, or one JSON object each. */
export type LogFormat = 'text' | 'json';

/** @param text undefined: the option is not given @throws {UsageError} */
export function readLogFormat(text: string | undefined): LogFormat {
  const format = text ?? 'text';
  if (format !== 'text' && format !== 'json')
    throw new UsageError(`--log-format is text or json, not ${JSON.stringify(format)}`);
  return format;
}

/** Takes one line at a time. Whoever quotes a peer takes its control characters out before (`oneLine`). */
export interface Log {
  readonly level: LogLevel;
  error(text: string): void;
  warning(text: string): void;
  info(text: string): void;
  debug(text: string): void;
  /** A line of another program, which is shown as it is whatever the level. */
  passOn(line: string): void;
  /** A log of the same kind whose lines name another user. */
  of(user: string): Log;
  /** Resolves when every line has been handed to the system. */
  flush(): Promise<void>;
}

/** `program` stands in front of every line, `user` in brackets behind it. */
export interface LogOptions {
  readonly program: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly user?: string;
}

const RANK: Readonly<Record<LogLevel, number>> = { error: 0, warning: 1, info: 2, debug: 3 };

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly user: string | undefined;
  /** Another program's own words. */
  readonly foreign?: true;
}

/** The backend is loaded with the first line: most runs have nothing to say, and loading it costs more than a run. */
class Backend {
  #write: ((line: Line) => void) | null = null;
  #queue: Line[] = [];
  #loading: Promise<void> | null = null;
  readonly #options: LogOptions;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  add(line: Line): void {
    if (this.#write !== null) {
      this.#write(line);
      return;
    }
    this.#queue.push(line);
    this.#loading ??= this.#load();
  }

  async #load(): Promise<void> {
    const { winstonWriter } = await import('./winston-writer.ts');
    const write = winstonWriter(this.#options);
    for (const line of this.#queue) write(line);
    this.#queue = [];
    this.#write = write;
  }

  async flush(): Promise<void> {
    await this.#loading;
  }
}

/** A log to stderr. Lines are written soon, not at once: `flush` before the process exits. */
export function createLog(options: LogOptions): Log {
  return logOver(new Backend(options), options.level, options.user);
}

function logOver(backend: Backend, level: LogLevel, user: string | undefined): Log {
  const add = (of: LogLevel, message: string): void => {
    if (RANK[of] <= RANK[level]) backend.add({ level: of, message, user });
  };
  return {
    level,
    error: (text) => add('error', text),
    warning: (text) => add('warning', text),
    info: (text) => add('info', text),
    debug: (text) => add('debug', text),
    passOn: (line) => backend.add({ level: 'warning', message: line, user, foreign: true }),
    // A name can come from a peer that may not be who it says.
    of: (name) => logOver(backend, level, oneLine(name, 80)),
    flush: () => backend.flush(),
  };
}
