/** A thread that can read TypeScript; its argument is the module that it runs. */
import { register } from 'tsx/esm/api';

register();
await import(process.argv[2]);
