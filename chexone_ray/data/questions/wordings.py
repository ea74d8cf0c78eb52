"""How questions are asked; all of it our own."""

from __future__ import annotations

import random

from chexone_ray.data.wording import with_article

QUESTIONS: dict[str, tuple[str, ...]] = {
    "presence": (
        "Is there {finding}?",
        "Does the film show {finding}?",
        "Can {finding} be seen?",
        "Look for {finding}: is it there?",
        "Would you report {finding} on this film?",
    ),
    "heart_size": (
        "How large is the heart: normal, borderline or enlarged?",
        "Is the heart size normal, borderline or enlarged?",
        "Grade the heart size as normal, borderline or enlarged.",
        "What is the size of the heart: normal, borderline or enlarged?",
        "Judge the heart: normal, borderline or enlarged?",
    ),
    "side": (
        "On which side is the {name}?",
        "Which side shows the {name}?",
        "Where is the {name}: left, right or both?",
        "Is the {name} on the left, on the right or on both sides?",
        "Name the side of the {name}: left, right or both.",
    ),
    "choice": (
        "Which of these is present?",
        "Which finding does the film show?",
        "Pick the finding that can be seen.",
        "One of these can be seen. Which one?",
        "Choose what the film shows.",
    ),
    "multi_choice": (
        "Which of these are present? More than one may be right.",
        "Pick every finding that the film shows.",
        "Which findings can be seen? Name all of them.",
        "Choose all that are there.",
        "One or more of these can be seen. Which?",
    ),
    "view": (
        "Which view is this: PA, AP or lateral?",
        "Is this film PA, AP or lateral?",
        "Name the view: PA, AP or lateral.",
        "How was this film taken: PA, AP or lateral?",
        "What is the projection: PA, AP or lateral?",
    ),
    "view_matching": (
        "Are these two films of one study?",
        "Do both films belong to the same examination?",
        "Were these films taken of the same patient at the same visit?",
        "Same study or not? Answer yes or no.",
        "Do the two images go together as one study?",
    ),
    "image_text_matching": (
        "Does this text describe the film? {text}",
        "Is this a true report of the film? {text}",
        "Do film and text agree? {text}",
        "Text: {text} Does it fit the image?",
        "Could this have been written about the film? {text}",
    ),
    "image_text_selection": (
        "Which text describes the film?",
        "Pick the report that belongs to this film.",
        "One of these was written about the film. Which one?",
        "Which of the texts fits the image?",
        "Choose the true description.",
    ),
    "findings": (
        "Write the findings of this film.",
        "Describe the findings.",
        "Report the findings of the film.",
        "What does the examination show? Write the findings section.",
        "Give the findings section of the report.",
    ),
    "findings_indication": (
        "Write the findings with this in mind.",
        "Describe the findings for this request.",
        "What does the examination show? Write the findings section.",
        "Give the findings section that answers the request.",
        "Report the findings.",
    ),
    "impression": (
        "Write the impression of this film.",
        "Sum up the examination in an impression.",
        "What is the impression?",
        "Give the impression section of the report.",
        "Conclude the report of this examination.",
    ),
    "impression_indication": (
        "Write the impression with this in mind.",
        "What is the impression for this request?",
        "Give the impression section that answers the request.",
        "Answer the request with an impression.",
        "Sum up the examination.",
    ),
    "report": (
        "Write the report: findings and impression.",
        "Report this examination with findings and impression.",
        "Give both sections of the report, findings and impression.",
        "Write a whole report of the film.",
        "Describe the findings, then give the impression.",
    ),
    "summary": (
        "Findings: {text} Write the impression.",
        "Sum up these findings in an impression. {text}",
        "What is the impression of these findings? {text}",
        "Conclude from the findings alone: {text}",
        "Shorten to an impression: {text}",
    ),
    "local_findings": (
        "What are the findings about the {region}?",
        "Describe the {region}.",
        "Report only what concerns the {region}.",
        "Write the part of the findings on the {region}.",
        "What can be said of the {region}?",
    ),
    "local_impression": (
        "What is the impression about the {region}?",
        "Conclude on the {region}.",
        "Write the part of the impression on the {region}.",
        "Sum up the {region}.",
        "Give the impression for the {region} only.",
    ),
    "progression_findings": (
        "The first film is the earlier one. Write the findings of the second.",
        "Compare with the earlier film and write the findings.",
        "Write the findings, with what has changed since the first film.",
        "Describe the second film against the first.",
        "Report the findings and how they have developed.",
    ),
    "progression_impression": (
        "The first film is the earlier one. Write the impression of the second.",
        "Compare with the earlier film and write the impression.",
        "Sum up what has changed since the first film.",
        "Give the impression of the second film against the first.",
        "Conclude on the development between the films.",
    ),
    "local_progression_findings": (
        "The first film is the earlier one. What are the findings about the {region}?",
        "Compare the {region} on both films and write the findings.",
        "How has the {region} changed? Write the findings.",
        "Describe the {region} against the first film.",
        "Report the development of the {region}.",
    ),
    "local_progression_impression": (
        "The first film is the earlier one. What is the impression about the {region}?",
        "Compare the {region} on both films and conclude.",
        "Sum up the change of the {region}.",
        "Give the impression for the {region} against the first film.",
        "Conclude on the development of the {region}.",
    ),
    "grounding": (
        "Where is the {name}? Give its box.",
        "Mark the {name} with a box.",
        "Locate the {name}.",
        "Draw the box of the {name}.",
        "Find the {name} and give its place.",
    ),
    "detection": (
        "Mark everything abnormal with boxes.",
        "Find all abnormalities and give their boxes.",
        "Which abnormalities are there, and where? Answer with boxes.",
        "Box every abnormal finding.",
        "Locate all that is not normal.",
    ),
    "grounded_diagnosis": (
        "Which finding is in this region? {box}",
        "Name the finding at {box}.",
        "What is shown here: {box}?",
        "Look at {box}. What is it?",
        "Give the finding inside {box}.",
    ),
    "phrase_grounding": (
        "Where is this seen? {text}",
        "Mark what this phrase speaks of: {text}",
        "Locate: {text}",
        "Give the box of the following. {text}",
        "Which region does this describe? {text}",
    ),
    "phrases": (
        "Report: {text} Mark every phrase that has a place on the film.",
        "Take the phrases with a place from this report and give their boxes. {text}",
        "Which statements of the report can be shown on the film, and where? {text}",
        "Ground this report: {text}",
        "Box what the report describes, phrase by phrase. {text}",
    ),
    "phrase_extraction": (
        "Report: {text} Which phrase is about {box}?",
        "Take from the report the phrase about the region {box}. {text}",
        "Which part of the report describes {box}? {text}",
        "Quote what is said of {box}: {text}",
        "Region: {box} Report: {text} Give the phrase that belongs to the region.",
    ),
    "grounded_caption": (
        "Describe this region: {box}",
        "What is to be seen at {box}?",
        "Write a sentence about {box}.",
        "Caption the region {box}.",
        "Report what is inside {box}.",
    ),
    "caption": (
        "Write a caption for this image.",
        "Caption the image.",
        "What would stand under this image in a publication?",
        "Describe the image in a caption.",
        "Give the figure a legend.",
    ),
    "progression": (
        "Is the {name} better, the same or worse?",
        "How has the {name} changed: better, same or worse?",
        "Compare the films: is the {name} better, same or worse?",
        "First film earlier, second later: is the {name} better, same or worse?",
        "Since the first film, is the {name} better, the same or worse?",
    ),
}
"""Kind -> wordings. Kinds whose questions the data sets themselves ask have none."""


def question(kind: str, rng: random.Random, most: int | None = None, **fields: str) -> str:
    """One of the wordings of a kind, of the first `most` where given, with its fields filled in.

    `name` stands for a finding, and gives `finding`, the same with its article.
    """
    if "name" in fields:
        fields["finding"] = with_article(fields["name"])
    return rng.choice(QUESTIONS[kind][:most]).format(**fields)
