import { createLogger, format, transports } from 'winston';

import type { LogLevel, LogOptions } from './log.ts';

const LEVELS: Record<LogLevel, number> = { error: 0, warning: 1, info: 2, debug: 3 };
const TITLES: Readonly<Record<string, string>> = { error: 'Error', warning: 'Warning', info: 'Info', debug: 'Debug' };

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly user: string | undefined;
  readonly foreign?: true;
}

/** Lines like Dovecot's, `dsync(user): Error: text`, or one JSON object each with time, level, program, user and message. */
export function winstonWriter(options: LogOptions): (line: Line) => void {
  const text = format.printf(({ level, message, user, foreign }) => {
    if (foreign === true) return String(message);
    const who = typeof user === 'string' ? `${options.program}(${user})` : options.program;
    return `${who}: ${TITLES[level] ?? level}: ${String(message)}`;
  });
  const json = format.combine(format.timestamp(), format.json());
  const logger = createLogger({
    levels: LEVELS,
    level: options.level,
    format: options.format === 'json' ? json : text,
    transports: [new transports.Console({ stderrLevels: Object.keys(LEVELS), forceConsole: false })],
  });
  return ({ level, message, user, foreign }) => {
    logger.log({
      level,
      message,
      ...(options.format === 'json' ? { program: options.program } : {}),
      ...(user === undefined ? {} : { user }),
      ...(foreign === undefined ? {} : { foreign }),
    });
  };
}
