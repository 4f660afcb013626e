/** Stories between one side that a real Dovecot keeps and one that is ours. */
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { actAll, hooksOf, otherSide, type Pair, type Request, type World } from '../../scenarios/play.ts';
import { printConfig } from '../../scenarios/serve.ts';
import { maildirPlaces, temporaryFolder, type TemporaryFolder } from '../../support/maildir-side.ts';
import type { RunResult } from '../../support/run-sync.ts';
import type { Scenario, SideConfig, SideName } from '../../support/scenario.ts';
import { Clock, Side } from '../../support/side.ts';
import { DOVEADM_PASSWORD } from '../rig/dovecot-config.ts';
import { DovecotSide, type Dovecots } from './dovecot-side.ts';
import { dovecotStarts, weStart } from './mixed-run.ts';

/** What the Dovecot is in the story's runs. */
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
    request: Request,
  ): Promise<RunResult> {
    await using store = await ours.open();
    return await weStart({ dovecot, user: name, ...request }, store, hooksOf(pair, request.during));
  }

  #dovecotStarts(
    pair: Pair<MixedSide>,
    { dovecot, name }: DovecotSide,
    request: Request,
  ): Promise<Pick<RunResult, 'exit' | 'state' | 'error'>> {
    const { during } = request;
    const ours = otherSide(request.start);
    const configuration = printConfig(this.#folder.path, ours, this.#configOf(ours), DOVEADM_PASSWORD, []);
    return dovecotStarts(
      { dovecot, user: name, ...request },
      { file: join(this.#folder.path, `${ours}.conf`), configuration },
      during === null ? null : { when: during.when, action: () => actAll(pair, during) },
    );
  }

  #configOf(name: SideName): SideConfig {
    return this.#scenario.config?.[name] ?? {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dovecot?.[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
