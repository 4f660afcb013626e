/** A member of what a Proxy stands for; a method keeps what it belongs to, since private fields are reached through nothing else. */
export function memberOf(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  if (typeof value !== 'function') return value;
  return (...args: readonly unknown[]): unknown => Reflect.apply(value, target, args);
}
