import { onPostgres } from "../support/deployments.ts";
import { describeDeployment } from "./describe-deployment.ts";

describeDeployment(onPostgres);
