"""The guided tour: one service on all three targets, asked a question, and two stacks refused."""
