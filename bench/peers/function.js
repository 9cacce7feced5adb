import http from "@google-cloud/functions-framework";

/** The function of the bench as the functions framework wants it. */
http.http("hello", (request, response) => {
  response.json({ message: `hi ${request.body.name}` });
});
