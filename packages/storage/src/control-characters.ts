/** Control characters in mailbox names: C0 and DEL; those of C1 are let through. */

// oxlint-disable-next-line no-control-regex -- they are what it finds
const CONTROL = /[\u0000-\u001f\u007f]/;
const CONTROLS = new RegExp(CONTROL, 'g');

/** Whether there is any in `text`. */
export function hasControls(text: string): boolean {
  return CONTROL.test(text);
}

/** `text` with `by` in the place of each. */
export function replaceControls(text: string, by: string): string {
  return text.replace(CONTROLS, by);
}
