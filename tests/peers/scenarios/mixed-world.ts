/** Stories between one side that a real Dovecot keeps and one that is ours. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

import { openSession } from '@dsync/client';

import { actAll, hooksOf, otherSide, type Pair, type Request, type World } from '../../scenarios/play.ts';
import { printConfig, serve } from '../../scenarios/serve.ts';
import { maildirPlaces, temporaryFolder, type TemporaryFolder } from '../../support/maildir-side.ts';
import { readOptions } from '../../support/options.ts';
import { resultOf, type RunResult, startSide, withState } from '../../support/run-sync.ts';
import type { Scenario, SideConfig, SideName } from '../../support/scenario.ts';
import { Clock, Side } from '../../support/side.ts';
import { DOVEADM_PASSWORD } from '../rig/dovecot-config.ts';
import { DovecotSide, type Dovecots } from './dovecot-side.ts';
import { startRelay } from './relay.ts';

export type DovecotIs = 'server' | 'client';

type MixedSide = Side | DovecotSide;

/** Users' acts lie in the past of the runs, which have the time of day. */
const PAST_SECONDS = 10_000;

/** The world of one story, with users of its own. */
export class MixedWorld implements World<MixedSide>, AsyncDisposable {
  readonly #dovecots: Dovecots;
  readonly #dovecotIs: DovecotIs;
  readonly #scenario: Scenario;
  readonly #clock = new Clock(Math.floor(Date.now() / 1000) - PAST_SECONDS);
  readonly #folder: TemporaryFolder = temporaryFolder('scenario');
  readonly #theirs: SideName;
  #dovecot: DovecotSide | null = null;

  constructor(dovecots: Dovecots, dovecotIs: DovecotIs, scenario: Scenario) {
    this.#dovecots = dovecots;
    this.#dovecotIs = dovecotIs;
    this.#scenario = scenario;
    const starting = scenario.steps.find((step) => step.op === 'sync')?.start ?? 'A';
    this.#theirs = dovecotIs === 'client' ? starting : otherSide(starting);
  }

  readonly makeSide = async (name: SideName): Promise<MixedSide> => {
    const { id, needs } = this.#scenario;
    const config = this.#configOf(name);
    if (name !== this.#theirs)
      return await Side.make(name, config, false, maildirPlaces(this.#folder.path, this.#clock, { likeDovecot: true }));
    const started = await this.#dovecots.start(config);
    const user = `${id}-${this.#dovecotIs}`.toLowerCase();
    mkdirSync(started.home(user), { mode: 0o700 });
    chownSync(started.home(user), started.mailUid, started.mailGid);
    this.#dovecot = new DovecotSide(started, user, config, needs?.includes('attributes') === true);
    return this.#dovecot;
  };

  readonly tick = (): void => {
    this.#dovecot?.setBack(this.#clock);
    this.#clock.tick();
  };

  readonly run = async (
    pair: Pair<MixedSide>,
    request: Request,
  ): Promise<Pick<RunResult, 'exit' | 'state' | 'error'>> => {
    this.#dovecot?.setBack(this.#clock);
    const starting = pair[request.start];
    const other = pair[otherSide(request.start)];
    if (starting instanceof DovecotSide) return await this.#dovecotStarts(pair, starting, request);
    if (other instanceof DovecotSide) return await this.#weStart(pair, starting, other, request);
    throw new Error('one side of the story is a Dovecot’s');
  };

  async #weStart(
    pair: Pair<MixedSide>,
    ours: Side,
    { dovecot, name }: DovecotSide,
    { command, words, during }: Request,
  ): Promise<RunResult> {
    const asked = readOptions(command, words);
    await using store = await ours.open();
    const socket = connect({ port: dovecot.doveadmPort, host: '127.0.0.1' });
    const login = { password: DOVEADM_PASSWORD, debug: false, verbose: false, timeoutMs: 10_000, onLog: () => {} };
    try {
      const carrier = await openSession(socket, { ...login, user: name });
      return await resultOf(asked, startSide(store, carrier, withState(asked), hooksOf(pair, during)));
    } finally {
      socket.destroy();
    }
  }

  async #dovecotStarts(
    pair: Pair<MixedSide>,
    { dovecot, name }: DovecotSide,
    { start, command, words, during }: Request,
  ): Promise<Pick<RunResult, 'exit' | 'state' | 'error'>> {
    const ours = otherSide(start);
    const file = join(this.#folder.path, `${ours}.conf`);
    writeFileSync(file, printConfig(this.#folder.path, ours, this.#configOf(ours), DOVEADM_PASSWORD, []));
    await using server = await serve(file, 'tcp');
    await using relay = during === null ? null : await startRelay(server.port, during.when, () => actAll(pair, during));
    const port = relay?.port ?? server.port;
    const { code, stdout, stderr } = await dovecot.doveadm([command, ...words, '-u', name, `tcp:127.0.0.1:${port}`]);
    return {
      exit: code ?? -1,
      state: words.includes('-s') ? stdout.toString('utf8').trim() : null,
      error: stderr === '' ? null : stderr.trim(),
    };
  }

  #configOf(name: SideName): SideConfig {
    return this.#scenario.config?.[name] ?? {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dovecot?.[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
