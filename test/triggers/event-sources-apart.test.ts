import { rolesOnAll } from "../support/deployments.ts";
import { describeEventSources } from "./describe-event-sources.ts";

describeEventSources(rolesOnAll);
