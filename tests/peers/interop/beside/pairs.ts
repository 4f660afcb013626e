/**
 * Two pairs of accounts with the same mail: in one a Dovecot keeps one side and our programs the other, in the other one
 * Dovecots keep both. The same users act on both pairs, and each pair is synchronised by its own programs.
 */
import { join } from 'node:path';

import type { ScenarioState, UserStep } from '../../../support/scenario.ts';
import { actOut, placeState } from '../../../support/side.ts';
import { troubles } from '../../rig/dovecot.ts';
import { type JudgedAccount, readAccount } from '../../rig/judge.ts';
import { mustRun, type Outcome, run } from '../../rig/processes.ts';
import { DovecotUser } from '../../scenarios/dovecot-user.ts';
import { type Ends, ours, type Pairing } from '../ends.ts';

/** What somebody does to an account. */
export type Act = Omit<UserStep, 'side'>;

/** `theirs` is a Dovecot's in both pairs, `ours` is ours in one of them. */
export type Side = 'theirs' | 'ours';

const SIDES = ['theirs', 'ours'] as const satisfies readonly Side[];

/** An account as IMAP tells it. */
export type Account = Pick<JudgedAccount, 'mailboxes' | 'subscriptions'>;

/** Both accounts of a pair. */
export type Accounts = Readonly<Record<Side, Account>>;

/** Two accounts that the same users change. Disposing of it ends their connections. */
export class AccountPair implements AsyncDisposable {
  readonly name: string;
  readonly #ends: Ends;
  readonly #users: Readonly<Record<Side, DovecotUser>>;

  private constructor(ends: Ends, name: string) {
    this.name = name;
    this.#ends = ends;
    this.#users = { theirs: userOf(ends, name), ours: userOf(ends, ours(name)) };
  }

  /** Copies of the template's accounts, which no program has brought together yet. */
  static async make(ends: Ends, name: string): Promise<AccountPair> {
    await ends.addUser(name);
    for (const [from, to] of [
      [TEMPLATE, name],
      [ours(TEMPLATE), ours(name)],
    ] as const)
      await mustRun('cp', ['-a', join(homeOf(ends, from), 'Maildir'), homeOf(ends, to)]);
    return new AccountPair(ends, name);
  }

  nameOf(side: Side): string {
    return side === 'ours' ? ours(this.name) : this.name;
  }

  /** Everybody has a Dovecot for a mail reader, also where the account is ours. */
  async act(side: Side, acts: readonly Act[]): Promise<void> {
    if (acts.length === 0) return;
    const user = this.#users[side];
    for (const act of acts) await actOut({ ...act, side: 'A' }, (name) => ({ user, path: pathOf(name) }));
    await user.commands.forget();
  }

  /** What was done so far was done by then: times have no smaller unit than a second. */
  setBack(time: number): void {
    for (const side of SIDES) this.#users[side].setBack(time);
  }

  async judge(): Promise<Accounts> {
    const read = (name: string): Promise<Account> => readAccount(this.#ends.holder(name), name);
    const [theirs, own] = await Promise.all([read(this.nameOf('theirs')), read(this.nameOf('ours'))]);
    return { theirs, ours: own };
  }

  /** What the logs of both servers have of the two accounts that they should not have. */
  async troubles(): Promise<string[]> {
    const names = SIDES.map((side) => `(${this.nameOf(side)})`);
    const logs = `${await this.#ends.dovecot.log()}\n${this.#ends.server.log()}`;
    return troubles(logs).filter((line) => names.some((name) => line.includes(name)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const side of SIDES) await this.#users[side][Symbol.asyncDispose]();
  }
}

const TEMPLATE = 'template';
const pathOf = (name: string): readonly string[] => name.split('/');
const homeOf = (ends: Ends, name: string): string => ends.holder(name).home(name);

const userOf = (ends: Ends, name: string): DovecotUser =>
  new DovecotUser({
    user: name,
    home: homeOf(ends, name),
    mailUid: ends.dovecot.mailUid,
    doveadmPort: ends.holder(name).doveadmPort,
    separator: '/',
    layout: 'maildir++',
    namespaces: [{ prefix: '', folder: 'Maildir' }],
  });

/** The pair that others are copied from. */
export const makeTemplate = async (ends: Ends, states: Readonly<Record<Side, ScenarioState>>): Promise<void> => {
  await ends.addUser(TEMPLATE);
  for (const [name, state] of [
    [TEMPLATE, states.theirs],
    [ours(TEMPLATE), states.ours],
  ] as const) {
    await using user = userOf(ends, name);
    await placeState(state, (mailbox) => ({ user, path: pathOf(mailbox) }));
  }
};

/** The sides as a run sees them. */
export const sidesOf = (dovecotIs: Pairing['dovecotIs']): { readonly starting: Side; readonly other: Side } =>
  dovecotIs === 'client' ? { starting: 'theirs', other: 'ours' } : { starting: 'ours', other: 'theirs' };

/** A run by two Dovecots of the same version, with a command as the carrier. */
export const runTwoDovecots = async (
  { dovecot }: Ends,
  { dovecotIs }: Pairing,
  pair: Pick<AccountPair, 'nameOf'>,
  [command = '', ...options]: readonly string[],
): Promise<Outcome> => {
  const { starting, other } = sidesOf(dovecotIs);
  const whole = dovecot.doveadmCommand(['dsync-server', '-u', pair.nameOf(other)]);
  // The first doveadm is in the chroot already, where there is one.
  const served = whole.slice(whole.indexOf('doveadm'));
  const words = [command, ...options, '-u', pair.nameOf(starting), 'env', '-i', 'PATH=/usr/bin:/usr/sbin', ...served];
  const [program = '', ...args] = dovecot.doveadmCommand(words);
  return await run(program, args);
};
