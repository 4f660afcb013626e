export * from './vocabulary.ts';
export * from './errors.ts';
export * from './fields.ts';
export * from './table.ts';
export * from './channel.ts';
export * from './doveadm/index.ts';
