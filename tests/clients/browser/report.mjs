// What the scripts of the browser clients have in common: how they end.

export const HOUR = 3_600_000;

/** Runs a script, and leaves its report or its failure where the test looks for them. */
export function finish(run) {
  run(window.usher).then(
    (report) => {
      window.report = report;
    },
    (error) => {
      window.failure = `${error.stack ?? error}`;
    },
  );
}
