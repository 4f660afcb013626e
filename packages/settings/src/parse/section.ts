import type { Origin, SettingsError } from '../errors.ts';

/** A setting as written. */
export interface Setting {
  readonly value: string;
  /** The file's name when the value was `<file`; `value` is then its text. */
  readonly fromFile?: string;
  readonly origin: Origin;
  /** Why the file of `<file` could not be read; `value` is empty then. Only who needs the value has to know. */
  readonly unreadable?: SettingsError;
}

/** A block of settings: the whole configuration, or what stands between braces. Later settings replace earlier ones. */
export class Section {
  readonly type: string;
  readonly name: string;
  readonly origin: Origin | null;
  readonly settings = new Map<string, Setting>();
  readonly sections: Section[] = [];

  constructor(type: string, name: string, origin: Origin | null) {
    this.type = type;
    this.name = name;
    this.origin = origin;
  }

  /** The block of that type and name, made if it is not there. Unnamed blocks of users and passwords are each a new one. */
  section(type: string, name: string, origin: Origin): Section {
    const known = this.sections.find((s) => s.type === type && s.name === name);
    if (known !== undefined && !(name === '' && (type === 'userdb' || type === 'passdb'))) return known;
    const made = new Section(type, name, origin);
    this.sections.push(made);
    return made;
  }

  of(type: string): readonly Section[] {
    return this.sections.filter((s) => s.type === type);
  }

  get(name: string): Setting | undefined {
    return this.settings.get(name);
  }
}
