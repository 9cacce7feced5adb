import { describeCadence } from "../support/cadence-suite.ts";
import { embedded } from "../support/deployments.ts";

describeCadence(embedded);
