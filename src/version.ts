/** The version of this package; `npm version` and a test keep it equal to package.json's. */
export const version = "0.1.0";
