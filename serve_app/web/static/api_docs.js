"use strict";

/* A form begins with the examples of its fields and nothing else. Swagger UI would invent a value for every other field
   ("string", a language "zak"), which the API refuses. It asks for the value of a form's field with the media type false. */
const OnlyExamples = () => ({
  afterLoad(system) {
    const invent = system.fn.getSampleSchema;
    this.fn.getSampleSchema = (schema, mediaType, ...rest) =>
      mediaType === false ? schema.getIn(["examples", 0]) ?? "" : invent(schema, mediaType, ...rest);
  },
});

SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, showExtensions: true, validatorUrl: null,
  plugins: [OnlyExamples],
});
