import fs from 'node:fs';
import { join } from 'node:path';

/** Gives a folder and all that is in it to one owner and the group of the same number. */
export function chownTree(folder: string, id: number): void {
  fs.lchownSync(folder, id, id);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) chownTree(path, id);
    else fs.lchownSync(path, id, id);
  }
}
