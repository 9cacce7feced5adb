/** The comments between which a document's generated part stands. */
const markers = (name: string): { begin: string; end: string } => ({
  begin: `<!-- generated: ${name}; run scripts/generate-docs.ts -->`,
  end: `<!-- end of ${name} -->`,
});

/**
 * Replaces the generated part of a document and leaves the rest as it is.
 * @param name what the two markers call it
 * @throws when the document has not both markers, once each and in order
 */
export function replaceSection(document: string, name: string, section: string): string {
  const { begin, end } = markers(name);
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from || document.indexOf(begin, from + 1) >= 0) {
    throw new TypeError(`the document needs once and in this order:\n${begin}\n${end}`);
  }
  return `${document.slice(0, from)}${begin}\n\n${section.trim()}\n\n${document.slice(to)}`;
}
