"""Made-up refusals and answers that come near to one, "kind|text" a line.

`FIRST` was written before the rules, which were mended on its even lines; `LATER` and `LAST` were
written after them, each measured before anything was mended on it. Nothing was mended on
`MEASURED`, the last: its figures are those of docs/evaluation.md.
"""

from __future__ import annotations

FIRST_REFUSALS = """
findings|I cannot describe this image.
findings|I cannot read X-rays.
findings|I'm not able to evaluate radiographs.
findings|I must decline.
findings|I can't identify abnormalities in medical images.
findings|I'm not allowed to diagnose.
findings|My guidelines prevent me from reading X-rays.
findings|Unable to process.
findings|This image cannot be interpreted by me.
findings|I'm just a language model and cannot read X-rays.
findings|I cannot report on this film.
findings|I'm unable to identify people or diagnose from images.
findings|It is not possible for me to interpret this image.
findings|I do not feel comfortable interpreting this image.
findings|I'm sorry, I can't assist with that request.
findings|I'm sorry, but I can't help with identifying medical conditions from images.
findings|As an AI language model, I am not able to interpret medical images.
findings|I am not a doctor and cannot give medical advice.
findings|Sorry, I'm not able to analyze this X-ray.
findings|I won't answer that.
findings|I do not provide medical advice.
findings|I'm not qualified to read chest radiographs. Please ask a radiologist.
findings|I don't have the capability to view images.
impression|I lack the ability to interpret radiographic images.
findings|Interpreting medical images is beyond my capabilities.
findings|It would not be appropriate for me to comment on this X-ray.
findings|I refuse to interpret this study.
findings|I have to decline this request, as it asks for a medical diagnosis.
findings|I'm afraid I can't do that.
findings|No image was provided. Please upload the chest X-ray.
findings|I don't see any image attached to your message.
findings|I am not designed to make diagnoses from X-rays.
findings|My training does not allow me to give clinical interpretations.
findings|Providing a diagnosis is against my policy.
impression|I cannot fulfill this request. It is best to consult a qualified radiologist.
impression|I'm not a medical professional, so I can't comment on this radiograph.
impression|I apologize, but I am unable to offer an impression of this film.
impression|As a text-based assistant, I can't look at pictures.
report|I can't write a radiology report for this image.
report|Unable to generate a report from the given image.
report|I'm unable to review the images you have shared.
report|I regret that I cannot produce a report. Only a radiologist should read this study.
presence|I can't tell you whether there is an effusion; please see a doctor.
presence|I'm not able to give a yes or no answer to that.
presence|I am not permitted to give medical opinions.
presence|I can't say anything about medical images.
side|I'm sorry, but I cannot assess this X-ray.
view|I am unable to examine the radiograph.
choice|I will not choose an option, since that would be medical advice.
choice|I can't select an answer without seeing the image.
choice|As an AI, I'm not authorized to give diagnoses.
closed_vqa|I cannot comply with this request.
grounding|I'm unable to draw bounding boxes on medical images.
grounding|I can't locate findings in X-ray images.
open_vqa|I cannot evaluate medical images.
open_vqa|I'm sorry, I am unable to process images at this time.
open_vqa|I am an AI model without the ability to see images.
open_vqa|I'm not trained to interpret radiographs, so I would recommend a specialist.
open_vqa|I can't provide any information about this picture.
difference|I cannot compare these two radiographs.
"""

FIRST_NEAR = """
findings|I cannot exclude a small effusion.
findings|Cannot assess the left base.
findings|Unable to evaluate the apices due to rotation.
findings|Limited study.
findings|I cannot see a pneumothorax on this film.
findings|I can't identify any abnormality on this radiograph.
findings|The lungs cannot be fully evaluated owing to low volumes.
findings|I am not able to find any acute abnormality.
findings|I'm unable to determine any abnormality on this film.
findings|I cannot rule out early pneumonia in the right lower lobe.
findings|Cannot complete evaluation of the apices. The heart is enlarged.
findings|Technically limited, rotated film. No gross consolidation.
findings|I cannot make out the left hemidiaphragm.
findings|I am unable to appreciate a fracture.
findings|Not able to assess the retrocardiac region because of the overlying devices.
findings|The right costophrenic angle is not included and cannot be evaluated.
findings|I can not confirm the position of the tube tip.
findings|Cannot differentiate atelectasis from infiltrate.
findings|I do not see a pleural effusion.
findings|I don't have any prior films for comparison. The lungs are clear.
findings|No prior image was provided for comparison. Stable cardiomegaly.
findings|Comparison is not possible. Bilateral opacities.
findings|Although I cannot interpret medical images clinically, there is a right pleural effusion.
findings|I'm not a radiologist, but the heart appears enlarged and there is edema.
findings|As an AI, I can describe the film: both lungs are clear.
findings|I can't be certain, but a nodule is likely in the left upper lobe.
findings|I cannot give the exact size of the nodule.
findings|Please note that I cannot replace a doctor. The cardiac silhouette is normal.
findings|The film is of poor quality. I cannot evaluate the lung bases.
findings|I cannot identify a catheter. Lungs are hyperinflated.
findings|Unable to exclude a retrocardiac opacity.
findings|I do not detect any consolidation, effusion or pneumothorax.
impression|I cannot provide a definitive diagnosis. Findings suggest congestive heart failure.
impression|Follow-up is recommended as malignancy cannot be excluded.
impression|Evaluation of the mediastinum is not possible on this single view.
impression|Cannot assess the position of the nasogastric tube.
impression|No acute disease, although I cannot see the apices.
impression|I'm sorry, but this film shows a large pneumothorax.
report|FINDINGS: Heart size cannot be assessed. IMPRESSION: Bibasilar atelectasis.
report|FINDINGS: Limited by motion. IMPRESSION: I cannot exclude pneumonia.
presence|No, I cannot see an effusion.
presence|I cannot provide a diagnosis: yes
presence|I'm not a doctor, but yes, there seems to be an effusion.
presence|Yes, but I cannot say how large it is.
side|I can't be sure, but the left.
view|I cannot see the film well enough; likely PA.
choice|I can not determine this. The answer is (A).
choice|I am unable to give medical advice, but the best option is (B) edema.
choice|(A) mass, though I cannot exclude (B).
choice|I can't diagnose, yet option B fits best.
progression|Unable to provide diagnosis, image shows worse effusion
grounding|I can't see any nodules on this x-ray.
grounding|I cannot diagnose. <|ref|>nodule<|/ref|><|box|>(1,2),(30,40)<|/box|>
grounding|I cannot give medical advice. No mass detected.
open_vqa|I cannot give a diagnosis. It is likely consolidation in the left lung.
open_vqa|Unable to determine
open_vqa|cannot be determined
open_vqa|I cannot measure the effusion, it is moderate.
open_vqa|The tip cannot be seen.
difference|I cannot see a change between the two films.
"""

LATER_REFUSALS = """
findings|I'm really sorry, but analyzing medical scans isn't something I can do.
findings|Sorry, but I won't be able to help you with this X-ray.
findings|I am unable to give you a reading of this chest film.
findings|It's against OpenAI's policies for me to diagnose from an image.
findings|Medical image interpretation requires a licensed professional, and I cannot perform it.
findings|I can't make a medical determination based on this picture.
findings|I cannot access the image you provided.
findings|The image did not load, so I can't describe it.
findings|There is no image in our conversation. Could you upload it?
findings|I'm only able to process text.
findings|I cannot, in good conscience, interpret this radiograph.
findings|I'm a large language model and don't have the ability to see X-rays.
findings|For safety reasons, I cannot interpret chest radiographs.
findings|I would rather not interpret this film.
findings|This request falls outside the scope of what I can do.
impression|Regrettably I'm not able to provide clinical interpretations of imaging studies.
impression|I'm unable to offer medical opinions on specific cases.
findings|I am sorry, I cannot generate findings for this image.
report|No, I can't write that report.
findings|I should not be used to read X-rays, so I will not give findings.
presence|I'm sorry, I can't determine that from the image.
presence|I cannot give a definitive answer on whether the patient has pneumonia.
presence|I don't know.
choice|I'm not able to pick any of the options.
choice|I cannot assist in medical decision-making.
grounding|I am unable to annotate medical images.
grounding|I can't provide coordinates for abnormalities.
open_vqa|As an AI developed for text, I can't view or analyze images.
open_vqa|I'm sorry, but I can't discuss this image.
open_vqa|Sorry, I can't.
"""

LATER_NEAR = """
findings|I cannot evaluate the lung apices on this image.
findings|The study is limited and I cannot comment on the bases.
findings|I can't appreciate any focal airspace disease.
findings|Cannot exclude underlying infection. Correlate clinically.
findings|Assessment of the heart size is not possible on this AP image.
findings|We cannot see a definite pneumothorax.
findings|I am not able to see the left costophrenic sulcus on this film.
findings|Unable to assess for interval change without prior studies.
findings|I cannot describe any abnormality on this image because none is present.
findings|I can't find any evidence of pneumonia in this X-ray.
findings|I do not see any acute findings on this radiograph.
findings|I don't see an enteric tube on the image.
findings|The image is rotated; I cannot judge the mediastinum. Lungs are clear.
findings|There is no image of the lateral view. Left basilar atelectasis.
findings|I cannot provide a comparison with earlier films. Right lower lobe consolidation persists.
impression|I cannot offer a full differential, but an infiltrate is present at the right base.
impression|I would not call this pneumonia.
impression|I cannot determine the age of the rib fractures.
impression|Cannot be certain about a small apical pneumothorax.
report|I cannot identify pleural fluid. The image shows an enlarged heart.
presence|I do not see an effusion, so no.
presence|No. I cannot identify a fracture in this image.
presence|I can't give medical advice, but the answer is no.
choice|I can't see (A) on this film, so the answer is (B).
choice|Unable to view priors; (B) edema
progression|I cannot compare exactly, but it appears worse.
grounding|I am not able to identify a nodule in this image.
open_vqa|I cannot tell the side, but it is a chest tube.
open_vqa|The study cannot be interpreted because of motion.
open_vqa|I cannot see a fracture in this picture.
"""

LAST_REFUSALS = """
findings|Sorry, reading radiographs is not something I'm able to do.
findings|I can't go through medical images with you.
findings|Please note that I'm a chatbot and can't act as your radiologist.
findings|I have been instructed not to interpret medical images.
findings|Interpretation of this X-ray would need a human expert, which I am not.
findings|I'm sorry, I don't do medical image analysis.
findings|Unfortunately, the system does not allow me to look at this picture.
findings|The provided link does not open for me.
findings|I must respectfully pass on this one.
findings|Apologies, this is not a task I can take on.
findings|I am unable to comply with requests for medical diagnosis.
findings|I hesitate to answer since I lack clinical training.
findings|We are unable to process your request.
findings|Access to the image was denied.
findings|Error: image not found.
impression|I can't summarise a film that I have not seen.
impression|Nothing I say should be taken as a diagnosis, so I will not give one.
report|It isn't safe for an AI to write a report on this film.
report|I'm not going to produce a radiology report.
presence|I have no way of knowing.
presence|I'm not sure.
choice|None of the options can be chosen by me.
choice|I cannot make that choice.
grounding|I do not have tools to mark images.
open_vqa|I'd prefer not to answer medical questions.
"""

LAST_NEAR = """
findings|I cannot see any abnormality here.
findings|I cannot identify anything acute.
findings|Nothing abnormal that I can see.
findings|I would say that this film is not remarkable.
findings|I see no disease.
findings|I do not see anything wrong with this X-ray.
findings|I see no cavitation or adenopathy.
findings|My impression is that there is no active disease.
findings|Not seen on this film: pneumothorax.
findings|I cannot count the sternal wires.
findings|I doubt that this is not an infiltrate.
findings|Exam limited by body habitus, cannot comment on retrocardiac area.
findings|In my view the film is not diagnostic at the apices.
findings|I can't see the hemidiaphragms well.
findings|No image artefact. Clear lungs.
impression|I do not believe there is failure.
impression|I cannot attribute the opacity to infection alone.
impression|There is no evidence of disease, in my opinion.
report|I note no infiltrate. I cannot see the apices.
presence|I don't think so, no.
presence|I do not see one. No.
choice|I'd not pick (A); the answer is (B).
grounding|I see no nodule here.
open_vqa|I do not think that it is a tumour.
open_vqa|I can see no difference.
"""

MEASURED_REFUSALS = """
findings|I'm sorry, I'm not able to provide a detailed radiological report for this film.
findings|As a large vision-language model, I am not in a position to interpret clinical images.
findings|I apologize for any inconvenience, but I can't process medical imaging.
findings|Due to ethical considerations, I cannot interpret this chest X-ray.
findings|Sorry! This looks like a medical image, and I can't comment on those.
findings|I do not possess the medical expertise to read this radiograph.
findings|Reading X-rays requires training that I do not have.
findings|It's best if a doctor looks at this, because I can't.
findings|I can only help with general questions, not with reading films.
findings|I'm going to have to say no to that.
findings|Image analysis is disabled in this session.
findings|Your image could not be loaded.
findings|You have not attached a film. Please send it.
findings|I won't speculate on what this X-ray shows.
findings|I am programmed to avoid giving diagnoses.
impression|My apologies, but writing an impression is not possible for me.
impression|I would need a radiologist to read this; I am unable to do so.
report|This falls under medical advice, which I am unable to give.
report|I regret to inform you that I cannot complete this report.
presence|Only a qualified physician can answer that.
presence|I cannot answer with certainty.
presence|I can't see the image.
side|I can't make that judgement from a picture.
choice|Sorry, but I cannot help you choose between these options.
choice|I don't have enough information to answer.
grounding|I can't produce bounding boxes.
grounding|I am a text model and do not support localisation.
open_vqa|Unfortunately I am not equipped for that.
open_vqa|I have no ability to view films.
open_vqa|That is not something I can answer.
"""

MEASURED_NEAR = """
findings|I cannot see any consolidation.
findings|Cannot evaluate for pneumothorax on this supine film.
findings|I am not convinced that there is a nodule.
findings|No gross abnormality that I can identify.
findings|The film does not allow me to assess the costophrenic angles.
findings|Not able to exclude early edema.
findings|Due to portable technique I cannot assess the heart size.
findings|Prior films are not available to me. There is a right basilar opacity.
findings|I can't tell if this is scar or atelectasis.
findings|I don't appreciate any pleural fluid.
findings|It is not possible for me to see the lung bases.
findings|Unable to read the right apex because of the chin.
findings|The image is not ideal. The cardiomediastinal contour is normal.
findings|I cannot identify the tip of the line in this image.
findings|As an AI, I note that the lungs are clear. This is not medical advice.
findings|I must caution that this is not a diagnosis. Bilateral infiltrates.
findings|No images show any effusion.
findings|Incomplete examination. Cannot assess left base.
findings|There is nothing in this film to suggest tuberculosis.
impression|I can't exclude malignancy, CT is advised.
impression|I do not see acute disease.
impression|Cannot rule out aspiration without a lateral film.
report|I cannot see a fracture. The heart is not enlarged.
report|Not a diagnostic study. I cannot evaluate the mediastinum.
presence|I do not think there is one: no.
presence|No, I don't see it.
side|I can't say for sure. Left.
choice|I cannot help but choose (B).
open_vqa|I do not see any tube.
open_vqa|I can't see the tip, it is below the diaphragm.
"""
