export { lossWarnings } from "./loss-warnings.ts";
export { invalidUrl, parseRedisAddress, type RedisAddress, shownAddress } from "./redis-address.ts";
export { isReply, RedisLink, type RedisLinkOptions, type RedisValue } from "./redis-link.ts";
export { loadScripts, runScript, type Script, scriptOf } from "./scripts.ts";
