import type { NamespaceSelection } from '../mail-store.ts';

/** What is known of a namespace without its store. */
export interface NamespaceFacts {
  /** In front of every name, with the separator at its end; or empty. */
  readonly prefix: string;
  /** One character. */
  readonly separator: string;
  /** It has a mail location of its own, so it is left out unless asked for. */
  readonly separateLocation: boolean;
  /** `INBOX` belongs to it, whatever its prefix. */
  readonly inbox: boolean;
  /** Not shown to clients … */
  readonly hidden: boolean;
  /** … unless listed. */
  readonly list: boolean;
}

/**
 * The namespaces that a run looks at, as in Dovecot 2.3.19: with `-n` those with exactly these prefixes, where
 * an unknown prefix means the namespace with the empty prefix, if there is one; with `-N` all that clients see; else
 * those without a location of their own. Order is kept.
 */
export function visibleNamespaces<N extends NamespaceFacts>(
  namespaces: readonly N[],
  selection: NamespaceSelection,
): readonly N[] {
  if (selection.namespaces.length > 0) {
    const chosen = new Set<N | undefined>(
      selection.namespaces.map(
        (prefix) => namespaces.find((n) => n.prefix === prefix) ?? namespaces.find((n) => n.prefix === ''),
      ),
    );
    return namespaces.filter((n) => chosen.has(n));
  }
  if (selection.allNamespaces) return namespaces.filter((n) => !n.hidden || n.list);
  return namespaces.filter((n) => !n.separateLocation);
}
