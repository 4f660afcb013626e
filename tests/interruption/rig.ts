/** Users with the same mail on two sides, a server for each, and runs that are killed. */
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Kill } from './kill.ts';
import { type Ended, kill, type Server, startClient, startServer } from './programs.ts';
import { fill, type Scene } from './scenes.ts';
import { Watch } from './watch.ts';

/** A run that nobody disturbed. */
export interface Whole {
  readonly ended: Ended;
  readonly ms: number;
  /** What happened to files. */
  readonly events: number;
}

const SIDES = ['near', 'far'] as const;
const TEMPLATE = 'template';

/** Everything that the kills of one scene need, below one folder. */
export class Rig {
  readonly folder: string;
  readonly scene: Scene;
  #users = 0;

  constructor(folder: string, scene: Scene) {
    this.folder = folder;
    this.scene = scene;
    for (const side of SIDES) fs.mkdirSync(join(folder, side, TEMPLATE), { recursive: true });
  }

  /** Sets the scene. */
  async prepare(): Promise<void> {
    const [near = '', far = ''] = SIDES.map((side) => join(this.folder, side, TEMPLATE, 'Maildir'));
    fill(near);
    if (this.scene.synced) {
      await using server = await startServer(this.folder);
      const { status, stderr } = await startClient(this.folder, 'sync', TEMPLATE, server.port).ended;
      if (status !== 0) throw new Error(`the scene cannot be set: ${stderr}`);
    }
    this.scene.change(near, far);
  }

  /** Somebody with the mail of the scene. */
  async newUser(): Promise<User> {
    const name = `u${++this.#users}`;
    for (const side of SIDES)
      await fs.promises.cp(join(this.folder, side, TEMPLATE), join(this.folder, side, name), {
        recursive: true,
        preserveTimestamps: true,
      });
    return new User(this, name);
  }
}

class User implements AsyncDisposable {
  readonly near: string;
  readonly far: string;
  readonly #rig: Rig;
  readonly #name: string;
  /** What the servers said until each ended. */
  readonly said: string[] = [];
  #server: Server | null = null;

  constructor(rig: Rig, name: string) {
    this.#rig = rig;
    this.#name = name;
    [this.near = '', this.far = ''] = SIDES.map((side) => join(rig.folder, side, name, 'Maildir'));
  }

  /** A run to its end. */
  async run(): Promise<Whole> {
    const { folder, scene } = this.#rig;
    const { port } = await this.#running();
    using watch = this.#watch();
    const begin = performance.now();
    const ended = await startClient(folder, scene.command, this.#name, port).ended;
    return { ended, ms: performance.now() - begin, events: watch.count };
  }

  /**
   * A run that is killed at its moment. A server that is not the victim goes on, so that the next run may meet the
   * session that this one leaves.
   * @returns whether it was not over yet
   */
  async runAndKill({ victim, by, part }: Kill, whole: Whole): Promise<boolean> {
    const { folder, scene } = this.#rig;
    const server = await this.#running();
    const client = startClient(folder, scene.command, this.#name, server.port);
    const strike = (): void => {
      kill(victim === 'client' ? client.pid : server.pid);
      if (victim === 'server') this.#server = null;
    };
    const after = by === 'event' ? Math.max(1, Math.round(part * whole.events)) : Infinity;
    using _watch = this.#watch((count) => {
      if (count === after) strike();
    });
    if (by === 'time') {
      // Not while the client is only being loaded.
      await Promise.race([sleep((0.25 + 0.75 * part) * whole.ms), client.ended]);
      strike();
    }
    const { status } = await client.ended;
    if (this.#server === null) await server.ended;
    return status !== 0;
  }

  /** When this is over, so are all sessions. */
  async stopServer(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = null;
  }

  async #running(): Promise<Server> {
    if (this.#server !== null) return this.#server;
    this.#server = await startServer(this.#rig.folder);
    void this.#server.ended.then(({ stderr }) => this.said.push(stderr));
    return this.#server;
  }

  #watch(seen?: (count: number) => void): Watch {
    return new Watch(
      SIDES.map((side) => join(this.#rig.folder, side, this.#name)),
      seen,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServer();
    for (const side of SIDES) await fs.promises.rm(join(this.#rig.folder, side, this.#name), { recursive: true });
  }
}
