/**
 * Options as doveadm's programs take them (POSIX, with GNU's long names): letters with glued or separate values, several
 * letters in one word, and everything from the first word that is no option left as it is.
 */
export interface OptionSpec {
  /** Name after `--`, and key of the result. */
  readonly long: string;
  /** Letter after `-`. */
  readonly short?: string;
  /** How the value is called in help; absent: no value. */
  readonly value?: string;
  /** Repeating it collects values; otherwise the last one counts. */
  readonly multi?: boolean;
  readonly help: string;
}

/** A mistake on the command line: exit status 64. `message` is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exit = 64;
}

/** What was given: for a flag an empty text. */
export class OptionValues {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(long: string): boolean {
    return this.#values.has(long);
  }

  /** The last value. */
  get(long: string): string | undefined {
    return this.#values.get(long)?.at(-1);
  }

  all(long: string): readonly string[] {
    return this.#values.get(long) ?? [];
  }
}

/** A command line, read as getopt does: options end at the first word that is none. */
export interface ParsedOptions {
  readonly options: OptionValues;
  /** From the first word that is no option. */
  readonly rest: readonly string[];
}

/**
 * @param command its name stands in front of messages
 * @throws {UsageError}
 */
export function parseOptions(command: string, argv: readonly string[], specs: readonly OptionSpec[]): ParsedOptions {
  const values = new Map<string, string[]>();
  const add = (spec: OptionSpec, value: string): void => {
    const known = values.get(spec.long);
    if (known === undefined) values.set(spec.long, [value]);
    else known.push(value);
  };
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') {
      at++;
      break;
    }
    if (!word.startsWith('-') || word === '-') break;
    const take = word.startsWith('--') ? takeLong : takeShort;
    at += take(word, argv[at + 1], { command, specs, add });
  }
  return { options: new OptionValues(values), rest: argv.slice(at) };
}

/** What words are read by, and where options go. */
interface Reading {
  readonly command: string;
  readonly specs: readonly OptionSpec[];
  readonly add: (spec: OptionSpec, value: string) => void;
}

/** `--NAME`, `--NAME=VALUE` or `--NAME VALUE`. @returns how many further words were used */
function takeLong(word: string, next: string | undefined, { command, specs, add }: Reading): 0 | 1 {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const spec = findLong(command, name, specs);
  if (spec.value === undefined) {
    if (equals >= 0) throw new UsageError(`${command}: option '--${spec.long}' doesn't allow an argument`);
    add(spec, '');
    return 0;
  }
  if (equals >= 0) {
    add(spec, word.slice(equals + 1));
    return 0;
  }
  if (next === undefined) throw new UsageError(`${command}: option '--${spec.long}' requires an argument`);
  add(spec, next);
  return 1;
}

/** The whole name, or a beginning that only one has. */
function findLong(command: string, name: string, specs: readonly OptionSpec[]): OptionSpec {
  const exact = specs.find((spec) => spec.long === name);
  if (exact !== undefined) return exact;
  const [first, second] = specs.filter((spec) => name !== '' && spec.long.startsWith(name));
  if (first === undefined) throw new UsageError(`${command}: unrecognized option '--${name}'`);
  if (second !== undefined) throw new UsageError(`${command}: option '--${name}' is ambiguous`);
  return first;
}

/** Letters behind one `-`; what is behind a letter that takes a value is the value. @returns as `takeLong` */
function takeShort(word: string, next: string | undefined, { command, specs, add }: Reading): 0 | 1 {
  const letters = Array.from(word.slice(1));
  for (const [index, letter] of letters.entries()) {
    const spec = specs.find((s) => s.short === letter);
    if (spec === undefined) throw new UsageError(`${command}: invalid option -- '${letter}'`);
    if (spec.value === undefined) {
      add(spec, '');
      continue;
    }
    const glued = letters.slice(index + 1).join('');
    if (glued !== '') {
      add(spec, glued);
      return 0;
    }
    if (next === undefined) throw new UsageError(`${command}: option requires an argument -- '${letter}'`);
    add(spec, next);
    return 1;
  }
  return 0;
}

/** Options that every program and command takes, before or after the command's name. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { long: 'debug', short: 'D', help: 'log everything, and errors with their stack' },
  { long: 'verbose', short: 'v', help: 'log what is done' },
  {
    long: 'config',
    short: 'c',
    value: 'FILE',
    help: 'read settings from FILE (dovecot.conf syntax); without it no file is read',
  },
  { long: 'option', short: 'o', value: 'NAME=VALUE', multi: true, help: 'set one setting; later ones win' },
  { long: 'log-format', value: 'text|json', help: 'how log lines on stderr look' },
  { long: 'help', short: 'h', help: 'show this help' },
  { long: 'version', help: 'show the version' },
];

/** The options as lines of help, in their order. */
export function printOptionsHelp(specs: readonly OptionSpec[]): string {
  const left = specs.map(
    (s) =>
      `  ${s.short === undefined ? '   ' : `-${s.short},`} --${s.long}${s.value === undefined ? '' : ` ${s.value}`}`,
  );
  const width = Math.min(38, Math.max(...left.map((l) => l.length)) + 2);
  return specs.map((spec, i) => `${(left[i] ?? '').padEnd(width)}${spec.help}`).join('\n');
}
