/** The recorded scenarios: two stores, what happens to them, and how they end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { sharedFolder } from './needs.ts';

/** As the recordings name the sides. */
export type SideName = 'A' | 'B';

/** `guid` is a label: equal labels are equal GUIDs. */
export interface ScenarioMail {
  readonly uid: number;
  readonly guid: string;
  readonly flags?: readonly string[];
  readonly keywords?: readonly string[];
  /** Unix seconds. */
  readonly date?: number;
  /** Bytes with CRLF line ends. */
  readonly size?: number;
  readonly pop3?: string;
  readonly recent?: boolean;
}

/** A mailbox as recorded. */
export interface ScenarioMailbox {
  readonly guid: string;
  readonly uidvalidity: number;
  readonly uidnext?: number;
  readonly messages: readonly ScenarioMail[];
  readonly attributes?: Readonly<Record<string, string>>;
}

/** A side as recorded. */
export interface ScenarioState {
  readonly mailboxes: Readonly<Record<string, ScenarioMailbox>>;
  readonly subscriptions: readonly string[];
  readonly directories?: readonly string[];
}

/** What a user or an administrator does on one side. */
export interface UserStep {
  readonly op:
    | 'append'
    | 'expunge'
    | 'flags_add'
    | 'flags_remove'
    | 'flags_replace'
    | 'move'
    | 'copy'
    | 'create'
    | 'delete'
    | 'rename'
    | 'subscribe'
    | 'unsubscribe'
    | 'update'
    | 'attr_set'
    | 'attr_unset'
    | 'select'
    | 'lose_history'
    | 'replace_mail'
    | 'snapshot'
    | 'restore';
  readonly side: SideName;
  readonly mailbox?: string;
  readonly uid?: number;
  readonly guid?: string;
  readonly flags?: readonly string[];
  readonly keywords?: readonly string[];
  readonly date?: number;
  readonly size?: number;
  readonly to?: string;
  readonly dir?: boolean;
  readonly uidvalidity?: number;
  readonly uidnext?: number;
  readonly highestmodseq?: number;
  readonly key?: string;
  readonly value?: string;
}

/** What users do while a run goes on. */
export interface During {
  readonly when: string;
  readonly steps: readonly UserStep[];
}

/** A run, and how the recorded one ended. */
export interface SyncStep {
  readonly op: 'sync';
  readonly command: 'sync' | 'backup';
  readonly options: readonly string[];
  readonly start: SideName;
  readonly other: SideName;
  readonly during?: During;
  readonly save_state?: string;
  readonly state_from?: string;
  readonly expect: { readonly exit: number; readonly state?: 'printed' | 'empty' };
}

/** What happens next; `tick` lets the clock show another second. */
export type Step = UserStep | SyncStep | { readonly op: 'tick' };

/** How a side is set up, where that matters. */
export interface SideConfig {
  readonly separator?: string;
  readonly prefix?: string;
  readonly namespaces?: readonly { readonly prefix: string; readonly separate_location: boolean }[];
  readonly layout?: 'fs';
}

/** One story. `normative` is false where the outcome shows a defect or depends on the store. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly group: string;
  readonly normative: boolean;
  readonly confirmed: readonly ('maildir' | 'sdbox')[];
  readonly note?: string;
  readonly needs?: readonly string[];
  readonly config?: { readonly A?: SideConfig; readonly B?: SideConfig };
  readonly initial: Readonly<Record<SideName, ScenarioState | null>>;
  readonly steps: readonly Step[];
  readonly final: Readonly<Record<SideName, ScenarioState>>;
}

/** Every recorded scenario, or none where the recordings are not at hand (`NEEDS.vectors` tells). */
export function loadScenarios(): readonly Scenario[] {
  let text: string;
  try {
    text = readFileSync(join(sharedFolder, 'vectors/scenarios.json'), 'utf8');
  } catch {
    return [];
  }
  const parsed: unknown = JSON.parse(text);
  if (!isScenarioFile(parsed)) throw new Error('scenarios.json is not a file of recorded scenarios, schema 1');
  return parsed.scenarios;
}

function isScenarioFile(value: unknown): value is { readonly scenarios: readonly Scenario[] } {
  if (typeof value !== 'object' || value === null || !('schema' in value) || !('scenarios' in value)) return false;
  return value.schema === 1 && Array.isArray(value.scenarios);
}
