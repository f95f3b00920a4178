package main

// forwardScenarios are what a bridge from stdio to a remote server survives and
// what it carries.
func forwardScenarios() suite {
	s := suite{Title: "survives and carries, stdio client → remote"}
	for _, part := range [][]scenario{endScenarios(), faultScenarios(), inputScenarios(), byteScenarios(), featureScenarios(), eraScenarios(), legacyScenarios()} {
		s.Scenarios = append(s.Scenarios, part...)
	}
	return s
}
