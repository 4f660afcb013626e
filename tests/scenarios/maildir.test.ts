import { testScenariosOnMaildirs } from './on-maildirs.ts';

testScenariosOnMaildirs('native');
