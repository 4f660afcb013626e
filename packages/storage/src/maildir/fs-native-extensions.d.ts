/** The part of the package that is used; it brings no types. */
declare module 'fs-native-extensions' {
  /**
   * An exclusive lock on the whole file; `false` if another open file description or process has one.
   * On Linux an OFD lock (fcntl(2)): it belongs to the descriptor and meets everybody's fcntl locks.
   */
  export function tryLock(fd: number): boolean;
}
