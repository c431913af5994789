import * as portway from "@pulumi/portway";

const chat = new portway.InferenceService("chat", {
    target: "lambda-bedrock",
    region: "eu-west-1",
    spec: {
        model: "ministral-3-8b",
        scaling: { max: 2 },
        residency: ["eu"],
        budget: { monthlyUsd: 2500 },
        traffic: { requestsPerDay: 2000 },
    },
});

export const endpoint = chat.endpoint;
export const apiKey = chat.apiKey;
