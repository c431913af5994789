"""AWS Lambda in front of Amazon Bedrock: the runtime as a function, the model as a token API."""

from portway.target import Capabilities, Target
from portway.targets.lambda_bedrock.facts import FACTS
from portway.targets.lambda_bedrock.meters import meters
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions
from portway.targets.lambda_bedrock.places import place, regions
from portway.targets.lambda_bedrock.plan import plan
from portway.targets.lambda_bedrock.prices import rates
from portway.upstreams import CONVERSE

TARGET = Target(
    name="lambda-bedrock",
    capabilities=Capabilities(
        auth=frozenset({"api-key", "iam"}),
        reach=frozenset({"public"}),
        scales_to_zero=True,
        streams=True,
        serves_own_weights=False,
        wire={**CONVERSE, "too many requests": "429 by Lambda, with its own body"},
    ),
    options=LambdaBedrockOptions,
    plan=plan,
    component="portway.targets.lambda_bedrock.component:LambdaBedrockService",
    facts=FACTS,
    meters=meters,
    rates=rates,
    regions=regions,
    place=place,
    doors={"route53": "portway.doors:ROUTE53"},
)
