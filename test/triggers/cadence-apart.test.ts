import { describeCadence } from "../support/cadence-suite.ts";
import { rolesOnAll } from "../support/deployments.ts";

describeCadence(rolesOnAll);
