/** Settings as values: each reader refuses what is not in its grammar, naming file and line. */
import { SettingsError } from '../errors.ts';
import type { Section, Setting } from '../parse/section.ts';

/** Looks in the overriding blocks first, then in the configuration itself. */
export class SettingReader {
  readonly #sections: readonly Section[];
  readonly #used: Set<string>;

  /** @param sections the first that has a setting wins; `used` collects the names that were asked for */
  constructor(sections: readonly Section[], used: Set<string>) {
    this.#sections = sections;
    this.#used = used;
  }

  /**
   * The setting under any of its names: 2.4's, 2.3's. Within a block the first name wins.
   * @throws {SettingsError} `NotReadable` if its value is in a file that cannot be read
   */
  find(...names: readonly string[]): Setting | undefined {
    for (const name of names) this.#used.add(name);
    for (const section of this.#sections) {
      for (const name of names) {
        const setting = section.get(name);
        if (setting?.unreadable !== undefined) throw setting.unreadable;
        if (setting !== undefined) return setting;
      }
    }
    return undefined;
  }

  text(...names: readonly string[]): string | undefined {
    const value = this.find(...names)?.value;
    return value === undefined || value === '' ? undefined : value;
  }

  flag(name: string, otherwise: boolean): boolean {
    const setting = this.find(name);
    if (setting === undefined || setting.value === '') return otherwise;
    const known = FLAGS[setting.value.toLowerCase()];
    if (known === undefined) throw bad(setting, `${name} must be yes or no, not ${JSON.stringify(setting.value)}`);
    return known;
  }

  number(name: string, otherwise: number, min: number, max: number): number {
    const setting = this.find(name);
    if (setting === undefined || setting.value === '') return otherwise;
    const value = Number(setting.value);
    if (!/^[0-9]+$/.test(setting.value) || value < min || value > max) {
      throw bad(setting, `${name} must be a number from ${min} to ${max}, not ${JSON.stringify(setting.value)}`);
    }
    return value;
  }

  choice<T extends string>(name: string, choices: Readonly<Record<string, T>>, otherwise: T): T {
    const setting = this.find(name);
    if (setting === undefined || setting.value === '') return otherwise;
    const known = choices[setting.value];
    if (known === undefined)
      throw bad(
        setting,
        `${name} must be one of ${Object.keys(choices).join(', ')}, not ${JSON.stringify(setting.value)}`,
      );
    return known;
  }
}

const FLAGS: Readonly<Record<string, boolean>> = {
  yes: true,
  y: true,
  '1': true,
  true: true,
  no: false,
  n: false,
  '0': false,
  false: false,
};

/** The error of a known setting whose value cannot be used, naming where it was written. */
export function bad(setting: Setting, message: string): SettingsError {
  return new SettingsError('BadValue', message, { origin: setting.origin });
}
