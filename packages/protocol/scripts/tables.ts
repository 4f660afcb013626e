/** The generated parts of docs/protocol.md: what the message table and the limits say, as Markdown. */
import * as limits from '../src/limits.ts';
import { MESSAGES, type Field, type MessageSpec } from '../src/table.ts';

const START = '<!-- generated:';
const END = '<!-- /generated -->';

function fieldRow(required: boolean) {
  return ([name, { type, wire, native, since }]: [string, Field]): string => {
    const text = native === true ? '–' : `\`${wire}\`${since === undefined ? '' : ` (3.${since})`}`;
    return `| \`${name}\` | ${type} | ${required ? 'required' : ''} | ${text} |`;
  };
}

function messageTable([kind, spec]: [string, MessageSpec]): string {
  const rows = [
    ...Object.entries(spec.required).map(fieldRow(true)),
    ...Object.entries(spec.optional).map(fieldRow(false)),
  ];
  const title = `#### ${kind} \`${spec.code}\`${spec.since > 0 ? `, since dsync 3.${spec.since}` : ''}`;
  if (rows.length === 0) return `${title}\n\nNo fields.`;
  return [title, '', '| field | type | | in text |', '|---|---|---|---|', ...rows].join('\n');
}

function limitTable(): string {
  const rows = Object.entries(limits).map(([name, value]) => `| \`${name}\` | ${value.toLocaleString('en')} |`);
  return ['| limit | value |', '|---|---|', ...rows.toSorted()].join('\n');
}

const PARTS: Readonly<Record<string, () => string>> = {
  messages: () => Object.entries(MESSAGES).map(messageTable).join('\n\n'),
  limits: limitTable,
};

/** The page with its generated parts made anew. */
export function renew(page: string): string {
  return Object.entries(PARTS).reduce((text, [name, make]) => {
    const from = text.indexOf(`${START}${name} -->`);
    const to = text.indexOf(END, from);
    if (from < 0 || to < 0) throw new Error(`docs/protocol.md has no part ${name}`);
    return `${text.slice(0, from)}${START}${name} -->\n${make()}\n${text.slice(to)}`;
  }, page);
}
