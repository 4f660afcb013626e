export { clientMain } from './main.ts';
