import { createMemoryStore } from '@dsync/storage';
import { describeMailStore } from '@dsync/storage/test-kit';

describeMailStore('a store in memory', async (options) => {
  const store = createMemoryStore(options);
  return { user: store.user, open: async () => store, [Symbol.asyncDispose]: async () => {} };
});

describeMailStore('a store in memory that keeps directories', async (options) => {
  const store = createMemoryStore({ ...options, directories: true });
  return { user: store.user, open: async () => store, [Symbol.asyncDispose]: async () => {} };
});
