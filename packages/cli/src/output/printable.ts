/**
 * Makes text of functions and servers safe for a terminal: control characters, which could move the cursor,
 * rename the window or paste a command, become visible; tabs and line ends stay.
 */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- these are what it is about
  text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    if (character === "\r") return "";
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
