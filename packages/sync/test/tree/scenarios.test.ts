/** The tree parts of the recorded scenarios: names, GUIDs, directories and subscriptions of both sides after every step. */
import { mailboxGuid } from '@dsync/protocol';
import { expect, test } from '@jest/globals';

import { describeWith } from '../../../../tests/support/needs.ts';
import {
  loadScenarios,
  type Scenario,
  type ScenarioState,
  type SideName,
  type Step,
  type SyncStep,
  type UserStep,
} from '../../../../tests/support/scenario.ts';
import { planTree, selectTrees, type Selection, type TreeMergeContext } from '@dsync/sync';
import { StrictStore } from './strict-store.ts';

/** What is compared of a side. */
interface Picture {
  readonly mailboxes: Readonly<Record<string, { readonly guid: string }>>;
  readonly subscriptions: readonly string[];
  readonly directories: readonly string[];
}

const GROUPS = ['tree', 'subscriptions', 'directories', 'selection', 'names', 'backup', 'oneway', 'mail', 'state'];

// Which names belong to which namespace is the store's knowledge; changes during a run are the conversation's.
const scenarios = loadScenarios().filter(
  (s) => s.normative && GROUPS.includes(s.group) && !s.id.startsWith('ns-n') && s.id !== 'ns-location-default',
);

class World {
  readonly stores: Readonly<Record<SideName, StrictStore>>;
  private now = 1000;

  constructor(scenario: Scenario) {
    const store = (side: SideName): StrictStore => {
      const config = scenario.config?.[side];
      const made = new StrictStore({ separator: config?.separator ?? '/', directories: config?.layout === 'fs' });
      const initial = scenario.initial[side];
      for (const [name, { guid }] of Object.entries(initial?.mailboxes ?? {}))
        made.create(name.split(made.separator), mailboxGuid(guid));
      for (const name of initial?.subscriptions ?? []) made.subscribe(name.split(made.separator), true, 0);
      return made;
    };
    this.stores = { A: store('A'), B: store('B') };
  }

  step(step: Step): void {
    if (step.op === 'tick') this.now++;
    else if (step.op === 'sync') this.sync(step);
    else this.change(this.stores[step.side], step);
  }

  private change(store: StrictStore, step: UserStep): void {
    const path = (step.mailbox ?? '').split(store.separator);
    const there = store.guidAt(path);
    if (step.op === 'create' && step.dir) store.createDirectory(path);
    else if (step.op === 'create') store.create(path, mailboxGuid(step.guid ?? ''));
    else if (step.op === 'delete' && there) store.delete(path, there, this.now);
    else if (step.op === 'delete') store.deleteDirectory(path, this.now);
    else if (step.op === 'rename') store.rename(path, (step.to ?? '').split(store.separator), this.now);
    else if (step.op === 'subscribe' || step.op === 'unsubscribe')
      store.subscribe(path, step.op === 'subscribe', this.now);
  }

  private sync({ command, options, start }: SyncStep): void {
    const local = this.stores[start];
    const remote = this.stores[start === 'A' ? 'B' : 'A'];
    const { selection, context } = parseOptions(command, options);
    const trees = selectTrees({ local: local.snapshot(), remote: remote.snapshot() }, selection);
    const plan = planTree(trees.local, trees.remote, context);
    local.apply(plan.local);
    remote.apply(plan.remote);
  }
}

function parseOptions(
  command: 'sync' | 'backup',
  options: readonly string[],
): { selection: Selection; context: TreeMergeContext } {
  const values = (name: string): string[] =>
    options.flatMap((option, i) => (option === name ? [options[i + 1] ?? ''] : []));
  const [mailbox] = values('-m');
  const [guid] = values('-g');
  return {
    selection: {
      ...(mailbox === undefined ? {} : { mailbox }),
      ...(guid === undefined ? {} : { mailboxGuid: guid === '' ? '' : mailboxGuid(guid) }),
      exclude: values('-x'),
      namespaces: [],
      allNamespaces: false,
    },
    context: {
      mode: command === 'backup' ? 'backup' : options.includes('-1') ? 'one-way' : 'two-way',
      source: options.includes('-R') ? 'remote' : 'local',
      altChar: '_',
    },
  };
}

/** Directories as the scenarios write them: those that exist and those that are only implied. */
function pictureOf(store: StrictStore): Picture {
  const mailboxes: Record<string, { guid: string }> = {};
  const directories = new Set<string>();
  for (const { path, guid } of store.entries.values()) {
    if (guid === undefined) directories.add(path.join(store.separator));
    else mailboxes[path.join(store.separator)] = { guid };
    for (let depth = 1; depth < path.length; depth++) directories.add(path.slice(0, depth).join(store.separator));
  }
  const subscriptions = store.subscribed().map((name) => name.split('/').join(store.separator));
  return {
    mailboxes,
    subscriptions,
    directories: [...directories].filter((name) => mailboxes[name] === undefined).sort(),
  };
}

function expected(state: ScenarioState): Picture {
  const mailboxes = Object.fromEntries(Object.entries(state.mailboxes).map(([name, { guid }]) => [name, { guid }]));
  return {
    mailboxes,
    subscriptions: [...state.subscriptions].sort(),
    directories: [...(state.directories ?? [])].sort(),
  };
}

describeWith(['vectors'], 'the tree ends as recorded:', () => {
  test.each(scenarios.map((s) => [s.id, s.title, s] as const))('%s, %s', (_id, _title, scenario) => {
    const world = new World(scenario);
    for (const step of scenario.steps) world.step(step);
    expect(pictureOf(world.stores.A)).toEqual(expected(scenario.final.A));
    expect(pictureOf(world.stores.B)).toEqual(expected(scenario.final.B));
  });
});
