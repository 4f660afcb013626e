/** Counts what happens to the files below a folder, while it happens. */
import fs from 'node:fs';
import { join } from 'node:path';

/** Calls `seen` with the number of events so far, until it is disposed. */
export class Watch implements Disposable {
  count = 0;
  readonly #seen: (count: number) => void;
  readonly #watchers = new Map<string, fs.FSWatcher>();

  constructor(roots: readonly string[], seen: (count: number) => void = () => {}) {
    this.#seen = seen;
    for (const root of roots) this.#add(root);
  }

  #add(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = fs.watch(folder, (_event, name) => this.#happened(folder, name));
      watcher.on('error', () => {});
      this.#watchers.set(folder, watcher);
      for (const entry of fs.readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory()) this.#add(join(folder, entry.name));
    } catch {
      // Removed or renamed meanwhile.
    }
  }

  #happened(folder: string, name: string | null): void {
    this.count++;
    this.#seen(this.count);
    // A folder that has just come.
    if (name === null || /^(?:cur|new|tmp)$/.test(folder.split('/').at(-1) ?? '')) return;
    const path = join(folder, name);
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) this.#add(path);
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers.values()) watcher.close();
  }
}
