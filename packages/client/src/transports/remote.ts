/** `remote:` and `remoteprefix:`: the command of dsync_remote_cmd, which is ssh unless configured otherwise. */
import { expandVariables, type VariableValues } from '@dsync/settings';

const VARIABLE = /%(?:\{[^{}]*\}|[a-z])/g;

/**
 * The template's words with their variables. A word that has variables, all of them empty, and other text is left out:
 * so `-l%{login}` disappears without a login.
 * @throws {SettingsError} `BadValue` for an unknown variable
 */
export function remoteCommand(
  template: string,
  values: { readonly user: string; readonly login: string; readonly host: string },
): string[] {
  const known: VariableValues = { ...values, home: null };
  const argv: string[] = [];
  for (const word of template.split(' ')) {
    if (word === '') continue;
    const variables = word.match(VARIABLE) ?? [];
    const allEmpty = variables.length > 0 && variables.every((variable) => expandVariables(variable, known) === '');
    if (!allEmpty) argv.push(expandVariables(word, known));
  }
  return argv;
}
