/**
 * syncfs(2), which Node has no call for, by the program `sync -f`. A shell stays at hand for it: starting a child from a
 * large process takes some milliseconds of the main thread, starting one from a small shell does not.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const SCRIPT =
  'while read -r _; do if e=$(sync -f -- "$@" 2>&1); then echo ok; else echo "failed $(printf %s "$e" | head -n 1)"; fi; done';

interface Pending {
  readonly resolve: (said: string) => void;
}

class Helper {
  readonly key: string;
  readonly #child: ChildProcess;
  #pending: Pending | null = null;
  #ended = false;

  constructor(anchors: readonly string[]) {
    this.key = keyOf(anchors);
    // Its output must not be translated, and it must not hold a directory that somebody may want to unmount.
    const child: ChildProcess = spawn('sh', ['-c', SCRIPT, 'sh', ...anchors], {
      stdio: ['pipe', 'pipe', 'ignore'],
      cwd: '/',
      env: { ...process.env, LC_ALL: 'C' },
    });
    this.#child = child;
    child.once('error', () => this.#end());
    child.once('close', () => this.#end());
    // There are none if no descriptor was left for them; then the error comes next.
    child.stdin?.on('error', () => this.#end());
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => this.#answer(line));
    this.#hold(false);
  }

  /** What it said: `ok`, `failed …`, or `ended`. One call at a time. */
  sync(): Promise<string> {
    return new Promise((resolve) => {
      if (this.#ended) {
        resolve('ended');
        return;
      }
      this.#pending = { resolve };
      this.#hold(true);
      this.#child.stdin?.write('\n');
    });
  }

  close(): void {
    this.#child.stdin?.end();
  }

  #answer(line: string): void {
    this.#hold(false);
    const pending = this.#pending;
    this.#pending = null;
    pending?.resolve(line);
  }

  #end(): void {
    this.#ended = true;
    this.#answer('ended');
  }

  /** A program that has nothing else to do ends, and the helper with it. */
  #hold(busy: boolean): void {
    const { stdin, stdout } = this.#child;
    for (const handle of [this.#child, stdin, stdout]) {
      if (!isHandle(handle)) continue;
      if (busy) handle.ref();
      else handle.unref();
    }
  }
}

let helper: Helper | null = null;

/**
 * Flushes the file systems on which `anchors` lie. False where there is no such program.
 * @throws {Error} if it fails
 */
export async function syncfs(anchors: readonly string[]): Promise<boolean> {
  if (helper === null || helper.key !== keyOf(anchors)) {
    helper?.close();
    helper = new Helper(anchors);
  }
  const said = await helper.sync();
  if (said === 'ok') return true;
  helper = null;
  if (said === 'ended' || /not found|invalid option|unrecognized|illegal option/i.test(said)) return false;
  throw new Error(`sync ${said}`);
}

function keyOf(anchors: readonly string[]): string {
  return anchors.join('\0');
}

function isHandle(value: unknown): value is { ref(): void; unref(): void } {
  return typeof value === 'object' && value !== null && 'ref' in value && 'unref' in value;
}
