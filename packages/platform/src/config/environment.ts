/** @returns the environment of this process: the one place where it is read */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;
