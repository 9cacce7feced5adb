/** Stands in for the legacy encodings the URL library asks for and the part `url` never uses. */
export {};
