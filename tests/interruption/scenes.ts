/** What two Maildirs look like before a run that is going to be killed. */
import fs from 'node:fs';
import { join } from 'node:path';

import { deliver, flagEvery, setKeywords, unlinkEvery } from './maildirs.ts';

/** A state of both sides, and the run that is to be killed. */
export interface Scene {
  readonly name: string;
  /** Whether both sides are made equal before the changes. */
  readonly synced: boolean;
  readonly command: 'sync' | 'backup';
  /** Changes to the two roots. */
  readonly change: (near: string, far: string) => void;
}

const BOXES = ['', '.Work', '.Work.2024', '.Sent', '.Sent.2023', '.Old'];

/** The mail that every scene begins with, at one side. */
export function fill(root: string): void {
  for (const box of BOXES) some(root, box, 'base', box === '' ? 60 : 25);
}

function some(root: string, box: string, label: string, count: number): void {
  for (let n = 0; n < count; n++) {
    const name = `17000${String(10_000 + n)}.M${n}P1_${label}${box.replaceAll('.', '_')}.elsewhere`;
    deliver(root, { box, name, ...(n % 3 === 0 ? {} : { flags: n % 3 === 1 ? 'S' : 'FS' }) });
  }
}

/** Scenes in which a run has different things to do. */
export const SCENES: readonly Scene[] = [
  { name: 'a first copy', synced: false, command: 'sync', change: () => {} },
  {
    name: 'a merge of changes on both sides',
    synced: true,
    command: 'sync',
    change: (near, far) => {
      for (const [root, label] of [
        [near, 'near'],
        [far, 'far'],
      ] as const) {
        // The same UIDs on both sides, so that some have to be given anew.
        some(root, '', label, 40);
        some(root, '.Sent', label, 20);
        some(root, `.Only_${label}`, label, 15);
      }
      flagEvery(near, '', 4, 0, 'RS');
      setKeywords(far, '.Work', ['$Label1', 'todo']);
      flagEvery(far, '.Work', 3, 1, 'FSb');
      unlinkEvery(near, '', 5, 1);
      unlinkEvery(far, '', 5, 3);
      unlinkEvery(far, '.Old', 2, 0);
    },
  },
  {
    name: 'renames, deletions and new mail in what was renamed',
    synced: true,
    command: 'sync',
    change: (near, far) => {
      fs.renameSync(join(near, '.Work.2024'), join(near, '.Archive.2024'));
      some(near, '.Archive.2024', 'near', 15);
      fs.rmSync(join(near, '.Old'), { recursive: true });
      some(near, '.Old', 'again', 20);
      for (const child of ['', '.2023']) fs.renameSync(join(far, `.Sent${child}`), join(far, `.Outbox${child}`));
      some(far, '.Outbox', 'far', 15);
      some(far, '.Work.2024', 'far', 15);
      unlinkEvery(far, '.Work.2024', 3, 1);
      some(far, '', 'far', 15);
    },
  },
  {
    name: 'a backup that expunges',
    synced: true,
    command: 'backup',
    change: (near, far) => {
      for (const box of BOXES) unlinkEvery(near, box, 2, 1);
      some(near, '', 'near', 20);
      flagEvery(near, '.Work', 2, 0, 'T');
      some(far, '.Sent', 'far', 30);
      some(far, '.Extra', 'far', 20);
      unlinkEvery(far, '.Work', 4, 0);
    },
  },
];
