import type { Register } from "../register.ts";
import { registerWebhookSecret } from "./webhook-secret.ts";
import { registerWebhookVerify } from "./webhook-verify.ts";

/** Everything below `cs webhook`. */
export const webhookCommands: readonly Register[] = [registerWebhookSecret, registerWebhookVerify];
