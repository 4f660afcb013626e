/** When which end is killed. */
export interface Kill {
  readonly victim: 'client' | 'server';
  /** Of the time, or of what happens to files, in a run that nobody disturbs. */
  readonly by: 'time' | 'event';
  /** 0 to 1. */
  readonly part: number;
}
