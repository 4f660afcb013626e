/** A side of a story that a real Dovecot keeps. */
import type { SideSeen } from '../../support/read-side.ts';
import type { ScenarioState, SideConfig, UserStep } from '../../support/scenario.ts';
import { actOut, type Clock, placeState, type StorySide } from '../../support/side.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { type Dovecot, startDovecot } from '../rig/dovecot.ts';
import { DovecotUser } from './dovecot-user.ts';
import { readDovecot } from './read-dovecot.ts';

interface Namespace {
  readonly prefix: string;
  readonly folder: string;
}

const namespacesOf = (config: SideConfig): readonly Namespace[] =>
  (config.namespaces ?? [{ prefix: config.prefix ?? '', separate_location: false }]).map(({ prefix }, index) => ({
    prefix,
    folder: index === 0 ? 'Maildir' : `Maildir${index}`,
  }));

/** Dovecots of one version, one for each kind of account that the stories want. */
export class Dovecots implements AsyncDisposable {
  readonly #version: DovecotVersion;
  readonly #started = new Map<string, Promise<Dovecot>>();

  constructor(version: DovecotVersion) {
    this.#version = version;
  }

  start(config: SideConfig): Promise<Dovecot> {
    const kind = printNamespaces(this.#version, config);
    const separator = config.separator === '.' ? '.' : '/';
    const begun = this.#started.get(kind + separator);
    if (begun !== undefined) return begun;
    const extra = [kind, ...WITH_METADATA[this.#version], 'doveadm_port = 0', 'mail_fsync = never'].join('\n');
    const started = startDovecot({ version: this.#version, users: [], separator, extra });
    this.#started.set(kind + separator, started);
    return started;
  }

  /** What all of them have said. */
  async logs(): Promise<string> {
    const texts: string[] = [];
    for (const started of this.#started.values()) texts.push(await (await started).log());
    return texts.join('');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of this.#started.values()) await (await started).stop();
  }
}

/** Entries of metadata are kept in a file of the account. */
const WITH_METADATA = {
  '2.3': ['mail_attribute_dict = file:%h/dovecot-attributes'],
  '2.4': ['mail_attribute {', '  dict file {', '    path = %{home}/dovecot-attributes', '  }', '}'],
} as const satisfies Record<DovecotVersion, readonly string[]>;

function printNamespaces(version: DovecotVersion, config: SideConfig): string {
  const lines: string[] = [];
  const layout = config.layout === 'fs';
  if (layout)
    lines.push(version === '2.3' ? 'mail_location = maildir:~/Maildir:LAYOUT=fs' : 'mailbox_list_layout = fs');
  // 2.4 makes mailboxes of directories and removes empty ones by default (tests of its own show that it can be lived with).
  if (version === '2.4') lines.push('mailbox_list_drop_noselect = no');
  const [inbox, ...others] = namespacesOf(config);
  if (inbox?.prefix) lines.push('namespace inbox {', `  prefix = ${inbox.prefix}`, '}');
  for (const { prefix, folder } of others) {
    lines.push(`namespace ${folder} {`, `  prefix = ${prefix}`, `  separator = ${config.separator ?? '/'}`);
    if (version === '2.3') lines.push(`  location = maildir:~/${folder}`, '}');
    else lines.push('  mail_driver = maildir', `  mail_path = ~/${folder}`, '}');
  }
  return lines.join('\n');
}

/** Told and read as a side of ours is. */
export class DovecotSide implements StorySide, AsyncDisposable {
  readonly dovecot: Dovecot;
  readonly name: string;
  readonly #user: DovecotUser;
  readonly #separator: string;
  readonly #attributes: boolean;

  constructor(dovecot: Dovecot, name: string, config: SideConfig, attributes: boolean) {
    this.dovecot = dovecot;
    this.name = name;
    this.#separator = config.separator ?? '/';
    this.#attributes = attributes;
    this.#user = new DovecotUser({
      user: name,
      home: dovecot.home(name),
      mailUid: dovecot.mailUid,
      doveadmPort: dovecot.doveadmPort,
      separator: this.#separator,
      layout: config.layout ?? 'maildir++',
      namespaces: namespacesOf(config),
    });
  }

  place(state: ScenarioState): Promise<void> {
    return placeState(state, this.#at);
  }

  act(step: UserStep): Promise<void> {
    return actOut(step, this.#at);
  }

  read(): Promise<SideSeen> {
    return readDovecot(this.#user.commands, { separator: this.#separator, attributes: this.#attributes });
  }

  /** What was done so far was done by the time of the clock. */
  setBack(clock: Clock): void {
    this.#user.setBack(clock.now());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#user[Symbol.asyncDispose]();
  }

  readonly #at = (name: string): { readonly user: DovecotUser; readonly path: readonly string[] } => ({
    user: this.#user,
    path: name === '' ? [] : name.split(this.#separator),
  });
}
