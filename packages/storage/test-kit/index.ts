export { describeMailStore } from './describe-mail-store.ts';
export type { MailUser } from './mail-user.ts';
export { MaildirFolder } from './maildir-folder.ts';
export { createMaildirUser, type MaildirUserOptions } from './maildir-user.ts';
export type { StageOptions, StoreFactory, StoreUnderTest } from './suite/stage.ts';
