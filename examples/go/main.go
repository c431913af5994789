package main

import (
	"example.com/pulumi-portway/sdk/go/portway"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		chat, err := portway.NewInferenceService(ctx, "chat", &portway.InferenceServiceArgs{
			Target: "lambda-bedrock",
			Region: "eu-west-1",
			Spec: portway.InferenceServiceSpecArgs{
				Model:     pulumi.String("ministral-3-8b"),
				Scaling:   portway.ScalingArgs{Max: pulumi.Int(2)},
				Residency: pulumi.StringArray{pulumi.String("eu")},
				Budget:    portway.BudgetArgs{MonthlyUsd: pulumi.Float64(2500)},
				Traffic:   portway.TrafficArgs{RequestsPerDay: pulumi.Int(2000)},
			},
		})
		if err != nil {
			return err
		}
		ctx.Export("endpoint", chat.Endpoint)
		ctx.Export("apiKey", chat.ApiKey)
		return nil
	})
}
